/** The shortest value, and the shortest encoded form of one, that is told apart from ordinary text. */
const shortest = 8;
const shortestLettersOnly = 16;
const shortestLine = 20;

/**
 * Whether the value is one that ordinary text doesn't hold. Hiding `postgres` or `secret` wherever it stands would
 * make nonsense of half of what the bot says; such a value is hidden only where it is shown as a password.
 */
const isTelling = (value: string): boolean =>
  value.length >= shortest && (value.length >= shortestLettersOnly || !/^[a-z]+$/i.test(value));

/** What stands in base64 for the bytes wherever they begin: three ways, without what their neighbours decide. */
function inBase64(value: string): string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const own = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

const jsonOf = (value: string): string => JSON.stringify(value).slice(1, -1);

function encoded(value: string): string[] {
  const hex = Buffer.from(value).toString('hex');
  const percent = encodeURIComponent(value.toWellFormed());
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  const ascii = jsonOf(value).replaceAll(/[\u0080-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return [
    value,
    ...inBase64(value),
    hex,
    hex.toUpperCase(),
    percent,
    percent.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    form,
    jsonOf(value),
    jsonOf(jsonOf(value)),
    ascii,
    value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  ];
}

/** The value itself; the password of an address (`postgres://user:pw@host`), as it stands and decoded; the lines of a key. */
function partsOf(value: string): string[] {
  const password = URL.parse(value)?.password ?? '';
  const lines = value.includes('\n') ? value.split('\n').map((line) => line.trim()) : [];
  let decoded = password;
  try {
    decoded = decodeURIComponent(password);
  } catch {
    // Not an escape after all.
  }
  return [value, password, decoded, ...lines.filter((line) => line.length >= shortestLine && !line.startsWith('---'))];
}

/** Every way in which a secret may stand in a text: raw, base64, hexadecimal, URL, JSON, HTML. Empty for a weak one. */
export function formsOf(value: string): string[] {
  const forms = partsOf(value).filter(isTelling).flatMap(encoded);
  return [...new Set(forms.filter((form) => form.length >= shortest))];
}
