// What secrets look like, whoever they belong to. Each pattern either takes all it can or fails after a bounded number of
// signs, so that its time is linear in a text that a stranger chose.

type Shape = {
  pattern: RegExp;
  /** What stands there instead. */
  to: string;
  /** What it is called when somebody pastes it into the room; undefined: too common in talk to be taken for one. */
  name?: string;
  /** Whether it is one for sure; what is not is hidden, but nobody is told of it. */
  surely?: (found: string) => boolean;
};

const hidden = '<secret>';
const names =
  'password|passwd|access_token|refresh_token|login_token|api_?secret|secret_?key|shared_secret|registration_shared_secret|macaroon_secret_key|form_secret|turn_?password';

const shapes: readonly Shape[] = [
  {
    // To the next five dashes, or to the end of what a key is made of.
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s:,]|\\{1,8}[nr]|-(?!----))*(?:-----END [A-Z0-9 ]{0,40}-----)?/g,
    to: hidden,
    name: 'a private key',
  },
  { pattern: /AGE-SECRET-KEY-1[A-Z0-9]{20,}/g, to: hidden, name: 'a private age key' },
  { pattern: /(?<![A-Za-z0-9])sy[trl]_[\w=+/-]{8,}/g, to: hidden, name: 'a Matrix access token' },
  {
    pattern: /(?<![A-Za-z0-9])(?:mat|mar|mct|mcr)_[A-Za-z0-9]{16,}(?:_[A-Za-z0-9]+)?/g,
    to: hidden,
    name: 'a Matrix access token',
  },
  {
    pattern: /eyJ[\w-]{8,}(?:\.[\w-]*){0,2}/g,
    to: hidden,
    name: 'a token of LiveKit or another service (JWT)',
    // The first part alone may be any JSON in base64.
    surely: (found) => found.includes('.'),
  },
  {
    pattern: /(:\/\/[^\s/:@"'<>\\]{0,128}:)[^\s/@"'<>\\]{1,512}@/g,
    to: `$1${hidden}@`,
    name: 'an address with a password in it',
  },
  {
    pattern: /(\bauthorization["']?\s{0,3}[:=]\s{0,3}["']?(?:bearer|basic)\s{1,3})[^\s"'<>,;…\\]+/gi,
    to: `$1${hidden}`,
  },
  { pattern: /(\b(?:bearer|basic)\s{1,3})(?=[\w.~+/=-]{0,512}\d)[\w.~+/=-]{12,}/gi, to: `$1${hidden}` },
  {
    pattern: new RegExp(`((?:\\b|_)(?:${names}|token|secret|api_?key)=)[^\\s&"',;<>)\\\\]{4,}`, 'gi'),
    to: `$1${hidden}`,
  },
  {
    pattern: new RegExp(
      `((?:\\b|_)(?:${names})\\\\{0,4}["']?\\s{0,3}:\\s{0,3}\\\\{0,4}["']?)(?=[^\\s"'<>,\\\\]{8})[^\\s"'<>,\\\\]+`,
      'gi',
    ),
    to: `$1${hidden}`,
  },
];

export const hideShapes = (text: string): string =>
  shapes.reduce((clean, { pattern, to }) => clean.replace(pattern, to), text);

/** What of the kind stands in the text, by name. */
export const shapesIn = (text: string): string[] => [
  ...new Set(
    shapes.flatMap(({ pattern, name, surely = () => true }) =>
      name !== undefined && (text.match(pattern) ?? []).some(surely) ? [name] : [],
    ),
  ),
];
