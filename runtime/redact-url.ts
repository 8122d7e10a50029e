// How a URL may be shown: its passwords replaced, wherever they stand. It must never throw and rather hide too much,
// since what people mistype is shown as well.

/** Up to the last `@`: a password that was not escaped may hold `/`, `?`, `:` and `@` itself. */
const USER_OF_URL = /^([a-z][a-z0-9+.-]*:\/\/[^:/@?]*):.*@/is;
/** Typed without its scheme. Folders have no passwords. */
const USER_WITHOUT_SCHEME = /^(?!file:)(?![a-z][a-z0-9+.-]*:\/\/)([^:/@?]*):.*@/is;
const SECRET_PARAMETER = /([?&;][^=&;#]*(?:pass|secret|token|key|credential|delegation)[^=&;#]*=)[^&;#]*/gi;

/** The URL with `***` for the password before its `@` and for parameters such as `password=`. */
export function redactUrl(url: string): string {
  const withoutUser = url.replace(USER_OF_URL, "$1:***@").replace(USER_WITHOUT_SCHEME, "$1:***@");
  return withoutUser.replace(SECRET_PARAMETER, "$1***");
}
