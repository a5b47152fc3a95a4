import { type AttributeValue, checkedValue, type Item, validationException } from './dynalite';

/**
 * The value, checked. Almost every value is seen at one glance to be valid and canonical, and is taken as it is; the rest
 * goes through dynalite's checks, which copy it and refuse it in AWS's words. Values are never changed afterwards.
 */
export function attributeValue(value: unknown): AttributeValue {
  return isPlain(value) ? value : checkedValue(value);
}

/** Every attribute of an item or a key, checked. */
export function attributes(map: unknown, member: string): Item {
  if (map === null || typeof map !== 'object' || Array.isArray(map)) {
    throw validationException(
      `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
    );
  }
  const item = map as Item;
  let checked = item;
  for (const name in item) {
    const value = item[name];
    if (isPlain(value)) continue;
    if (checked === item) checked = { ...item };
    // A member that is null is absent in AWS's JSON.
    if (value == null) delete checked[name];
    else checked[name] = checkedValue(value);
  }
  return checked;
}

/** Whether two items, or none, are the same: maps and sets have no order. */
export function sameItem(left: Item | undefined, right: Item | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => right[name] !== undefined && sameValue(left[name]!, right[name]))
  );
}

function sameValue(left: AttributeValue, right: AttributeValue): boolean {
  if (left === right) return true;
  const [type] = Object.keys(left);
  const [one, other] = [left[type!], right[type!]];
  if (other === undefined) return false;
  switch (type) {
    case 'M':
      return sameItem(one, other);
    case 'L':
      return (
        one.length === other.length && one.every((element: any, index: number) => sameValue(element, other[index]))
      );
    case 'SS':
    case 'NS':
    case 'BS':
      return one.length === other.length && one.every((element: string) => other.includes(element));
    default:
      return one === other;
  }
}

const integer = /^(0|-?[1-9]\d{0,17})$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/][AQgw]==)?$/;

function isPlain(value: unknown): value is AttributeValue {
  if (value === null || typeof value !== 'object') return false;
  let type: string | undefined;
  for (const member in value) {
    if (type !== undefined) return false;
    type = member;
  }
  const content = (value as AttributeValue)[type ?? ''];
  switch (type) {
    case 'S':
      return typeof content === 'string';
    case 'N':
      return typeof content === 'string' && integer.test(content);
    case 'B':
      return typeof content === 'string' && base64.test(content);
    case 'BOOL':
      return typeof content === 'boolean';
    case 'NULL':
      return content === true;
    case 'L':
      return Array.isArray(content) && content.every(isPlain);
    case 'M':
      if (content === null || typeof content !== 'object' || Array.isArray(content)) return false;
      for (const name in content) if (!isPlain(content[name])) return false;
      return true;
    default:
      return false;
  }
}
