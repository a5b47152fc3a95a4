import type { AttributeValue, Item } from './dynalite';

/**
 * An item as plain values for a scan of its content: numbers as the text they are kept as, binary both decoded (so that what
 * is hidden in it is found) and as the base64 it travels in.
 */
export function plainItem(item: Item): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).map(([name, value]) => [name, plainValue(value)]));
}

function plainValue(value: AttributeValue): unknown {
  const [[type, content] = ['NULL', true]] = Object.entries(value);
  switch (type) {
    case 'B':
      return plainBinary(content);
    case 'BS':
      return content.map(plainBinary);
    case 'L':
      return content.map(plainValue);
    case 'M':
      return plainItem(content);
    case 'NULL':
      return null;
    default:
      return content;
  }
}

function plainBinary(base64: string): [latin1: string, base64: string] {
  return [Buffer.from(base64, 'base64').toString('latin1'), base64];
}
