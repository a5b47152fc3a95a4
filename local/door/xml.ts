/** An XML document from plain values: arrays are repeated elements, dates ISO 8601, undefined is left out. */
export function toXml(root: string, content: unknown, namespace?: string): string {
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';
  const body = children(content);
  return `${declaration}<${root}${namespace === undefined ? '' : ` xmlns="${namespace}"`}>${body}</${root}>`;
}

/** The content of the root element: text, or an object by element name, with arrays for repeated elements. */
export function fromXml(xml: string): unknown {
  const stack: { name: string; content: Record<string, unknown>; text: string }[] = [
    { name: '', content: {}, text: '' },
  ];
  for (const [, close, name, selfClosing, text] of xml.matchAll(tokens)) {
    const top = stack.at(-1)!;
    if (text !== undefined) {
      top.text += text;
    } else if (close === undefined && name !== undefined) {
      if (selfClosing === undefined) stack.push({ name, content: {}, text: '' });
      else put(top.content, name, '');
    } else if (name !== undefined) {
      const parent = stack.at(-2);
      if (parent === undefined || top.name !== name) throw new Error(`element '${name}' is closed but not open`);
      stack.pop();
      put(parent.content, name, Object.keys(top.content).length > 0 ? top.content : unescaped(top.text));
    }
  }
  if (stack.length !== 1) throw new Error(`element '${stack.at(-1)!.name}' is not closed`);
  return Object.values(stack[0]!.content)[0];
}

/** Declarations and comments; tags with their attributes, which S3's requests do not need; text. */
const tokens = /<[?!][^>]*>|<(\/)?([\w:.-]+)[^>]*?(\/)?>|([^<]+)/g;
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function children(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' || value === null) return escaped(String(value ?? ''));
  let xml = '';
  for (const [name, child] of Object.entries(value)) {
    for (const one of Array.isArray(child) ? child : [child]) {
      if (one !== undefined) xml += `<${name}>${children(one)}</${name}>`;
    }
  }
  return xml;
}

function put(content: Record<string, unknown>, name: string, value: unknown): void {
  const before = content[name];
  content[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
}

function escaped(text: string): string {
  return text.replace(/[&<>"\r]/g, (c) =>
    c === '&' ? '&amp;' : c === '<' ? '&lt;' : c === '>' ? '&gt;' : c === '"' ? '&quot;' : '&#13;',
  );
}

function unescaped(text: string): string {
  return text.replace(/&(#x?)?(\w+);/g, (whole, numeric: string | undefined, name: string) =>
    numeric === undefined
      ? (entities[name] ?? whole)
      : String.fromCodePoint(Number.parseInt(name, numeric === '#x' ? 16 : 10)),
  );
}
