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
    default:
      return false;
  }
}
