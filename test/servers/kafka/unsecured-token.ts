// Tokens for OAUTHBEARER that nobody signed (RFC 7515, appendix A.5), as Kafka's unsecured validator takes them:
// tests of the protocol need no identity provider.

/** A token for `subject` that holds from now on for `lifetimeMs` (negative: it has expired already). */
export function unsecuredToken({ subject, lifetimeMs }: { subject: string; lifetimeMs: number }): string {
  const nowS = Date.now() / 1000;
  const claims = { sub: subject, iat: nowS + Math.min(0, lifetimeMs / 1000) - 1, exp: nowS + lifetimeMs / 1000 };
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  return `${encode({ alg: "none" })}.${encode(claims)}.`;
}
