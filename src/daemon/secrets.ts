/**
 * Keeps secrets out of the journal, the outbox and what clients see: every stored text passes here (DESIGN §10).
 * What counts as a secret: values the configuration marks so, and environment variables whose names say so.
 */
const nameSaysSecret = /(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|_PAT|CREDENTIAL|PRIVATE_KEY)$/i;

/** Shorter values would hit ordinary words. */
const shortest = 8;

export const secretsIn = (env: Readonly<Record<string, string | undefined>>, configured: readonly string[]): readonly string[] => [
  ...new Set([...configured, ...Object.entries(env).flatMap(([name, value]) => (value !== undefined && nameSaysSecret.test(name) ? [value] : []))]),
].filter((value) => value.length >= shortest);

/** Replaces each secret in a JSON text, in its JSON-escaped form; the result is JSON still. */
export const redactor = (secrets: readonly string[]): ((json: string) => string) => {
  const escaped = secrets.map((secret) => JSON.stringify(secret).slice(1, -1)).sort((a, b) => b.length - a.length);
  return (json) => escaped.reduce((text, secret) => (text.includes(secret) ? text.replaceAll(secret, "[secret]") : text), json);
};

/** A plain text, by a redaction that knows secrets as they stand in JSON. */
export const redactedText = (redact: (json: string) => string, text: string): string => {
  const json = JSON.stringify(text);
  const clean = redact(json);
  return clean === json ? text : String(JSON.parse(clean));
};
