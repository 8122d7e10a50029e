// How a URL may be shown: its passwords replaced, wherever they stand. It must never throw and rather hide too much,
// since what people mistype is shown as well.

/**
 * Up to the last `@`: a password that was not escaped may hold `/`, `?`, `:` and `@` itself. Folders have no
 * passwords.
 */
const USER = /^(?!file:)((?:[a-z][a-z0-9+.-]*:\/\/)?)([^:/@\s]*):.*@/is;
const SECRET_PARAMETER = /([?&;][^=&;#]*(?:pass|secret|token|key|credential)[^=&;#]*=)[^&;#]*/gi;

/** The URL with `***` for the password before its `@` and for parameters such as `password=`. */
export function redactUrl(url: string): string {
  return url.replace(USER, "$1$2:***@").replace(SECRET_PARAMETER, "$1***");
}
