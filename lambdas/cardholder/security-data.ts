/**
 * Sensitive authentication data: security codes, track data, PIN blocks, chip data. PCI DSS 3.3.1 forbids keeping it after
 * authorization, even encrypted, so it is removed wherever it turns up, and counted: some till sends what it must not.
 */

const names = [
  /^(card)?(cvv|cvc|cvn|cve|cvp|cvd|cav|csc|cid|icvv|dcvv)2?(code|value|number|data)?$/,
  /(security|verification)(code|value|number)2?$/,
  /^(card|msr|raw|swipe|swiped)?tracks?$/,
  /track([123]|one|two|three|data|equivalent)/,
  /mag(netic)?(stripe|strip|data|track)/,
  /^(card|customer|encrypted|enciphered|debit|offline|online)?pin$/,
  /pin(block|data|code|number|entry)/,
  /^(card)?emv/,
  /(icc|chip)data$/,
  /^(de|field|bit)(35|36|45|52|55)$/,
];
const track1 = /%?[A-Z]\d{1,19}\^[^^]{2,26}\^[^?\n]{0,60}\??/gi;
const track2 = /;\d{12,19}[=D]\d*\??|\d{12,19}[=D]\d{7,}\??/gi;
const codeInProse =
  /\b(cvv2?|cvc2?|cvn2?|csc|cid|security code|verification code|pin(?: block)?)\b([^\p{L}\p{N}]{0,4})\p{Nd}{3,6}(?!\p{Nd})/giu;

/** Whether a field of this name holds such data, however it is spelt: `cvv2`, `Card-Security-Code`, `track_2_data`. */
export function isSecurityField(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return plain.length < 64 && names.some((pattern) => pattern.test(plain));
}

/** Removes track data, and codes that say what they are, from free text. */
export function removeSecurityData(text: string): { readonly text: string; readonly removed: number } {
  let removed = 0;
  const count = (replacement: string) => {
    removed++;
    return replacement;
  };
  let left = text;
  if (left.includes('^')) left = left.replace(track1, () => count('[removed]'));
  if (/[=Dd]/.test(left)) left = left.replace(track2, () => count('[removed]'));
  left = left.replace(codeInProse, (_, name: string, gap: string) => count(`${name}${gap}[removed]`));
  return { text: left, removed };
}

/**
 * Counts such data in a value that is about to be dropped, at any depth, and names the fields that hold it. Walks without
 * recursion: what a stranger sends can be nested deeper than any stack.
 */
export function securityFieldsIn(name: string, value: unknown): string[] {
  const found: string[] = [];
  const left: { name: string; path: string; value: unknown }[] = [{ name, path: name, value }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { path, value: inner } = next;
    if (isSecurityField(next.name)) found.push(path);
    else if (typeof inner === 'string') {
      if (removeSecurityData(inner.slice(0, 4_096)).removed > 0) found.push(path);
    } else if (Array.isArray(inner)) {
      for (const each of inner) left.push({ name: '', path, value: each });
    } else if (typeof inner === 'object' && inner !== null) {
      for (const [key, each] of Object.entries(inner))
        left.push({ name: key, path: path.length > 100 ? path : `${path}.${key}`, value: each });
    }
  }
  return found;
}
