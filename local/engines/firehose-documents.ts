/** One JSON document of a record, or text that is none. */
export interface JsonDocument {
  readonly text: string;
  /** Undefined if the text is not a JSON object. */
  readonly value: Readonly<Record<string, unknown>> | undefined;
}

/**
 * The documents of a record, as Firehose separates them: JSON objects one after another, with or without a line break
 * between. An array of objects is not taken apart.
 */
export function documentsOf(text: string): JsonDocument[] {
  const documents: JsonDocument[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.trim() === '') continue;
    const value = objectIn(line);
    // Rarely more than one to a line, so the scan by hand is left to lines that need it.
    if (value === undefined) return scanned(text);
    documents.push({ text: line, value });
  }
  return documents;
}

function scanned(text: string): JsonDocument[] {
  const documents: JsonDocument[] = [];
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const end = text[at] === '{' ? endOfObject(text, at) : undefined;
    const value = end === undefined ? undefined : objectIn(text.slice(at, end));
    if (end !== undefined && value !== undefined) {
      // One document a line is what is written on, whatever the sender's layout.
      const document = text.slice(at, end);
      documents.push({ text: document.includes('\n') ? JSON.stringify(value) : document, value });
      at = end;
      continue;
    }
    const lineEnd = text.indexOf('\n', at);
    const stop = lineEnd === -1 ? text.length : lineEnd;
    documents.push({ text: text.slice(at, stop), value: undefined });
    at = stop;
  }
  return documents;
}

function endOfObject(text: string, start: number): number | undefined {
  let depth = 0;
  let inString = false;
  for (let i = start; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return i + 1;
  }
  return undefined;
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
