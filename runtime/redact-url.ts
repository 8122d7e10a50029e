// How a URL may be shown: its passwords replaced, wherever they stand. It must never throw and rather hide too much, since what
// people mistype is shown as well.

const SECRET_PARAMETER = /([?&;][^=&;#]*(?:pass|secret|token|key|credential)[^=&;#]*=)[^&;#]*/gi;

/** The URL with `***` for the password before its `@` and for parameters such as `password=`. */
export function redactUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)(.*)@/is, redactUser).replace(SECRET_PARAMETER, "$1***");
}

function redactUser(_: string, scheme: string, user: string): string {
  const colon = user.indexOf(":");
  return colon < 0 ? `${scheme}${user}@` : `${scheme}${user.slice(0, colon)}:***@`;
}
