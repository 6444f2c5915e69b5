/**
 * Keeps secrets out of the journal, the outbox, logs and what clients see: every text that is stored or shown passes here (DESIGN §10).
 * What counts as a secret: values the configuration marks so, environment variables whose names or URLs say so, and what has a token's shape.
 */
import { concealed, isEscaped, looksLikeKey, nameSaysSecret, withoutShapes } from "../domain/secret.ts";

/** Shorter values would hit ordinary words. */
const shortest = 8;
/** So would these, as passwords of databases on people's own machines. */
const ordinary: ReadonlySet<string> = new Set(["password", "postgres", "postgresql", "changeme", "disabled", "required", "optional", "internal", "external", "development", "production"]);

/** `Authorization: Bearer …`, one a line or between commas. */
const inHeaders = (value: string): readonly string[] => value.split(/[\n,]/).flatMap((header) => /^[^:=]+[:=]\s*(?:(?:Bearer|Basic|Token)\s+)?(\S.*)$/i.exec(header.trim())?.[1] ?? []);

/** A user's name alone is a token where it is so long (`https://TOKEN@host`). */
const longName = 20;
const inUrl = (value: string): readonly string[] => {
  if (!value.includes("://") || !URL.canParse(value)) return [];
  const { username, password, searchParams } = new URL(value);
  return [
    ...(password === "" ? (username.length >= longName ? [username, decoded(username)] : []) : [password, decoded(password)]),
    ...[...searchParams].flatMap(([name, inner]) => (nameSaysSecret(name) ? [inner] : [])),
  ];
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** Of a key of several lines each is one. */
const lines = (value: string): readonly string[] => (value.includes("\n") ? value.split("\n").map((line) => line.trim()).filter((line) => line.length >= longName) : []);

const inVariable = (name: string, value: string): readonly string[] => [
  ...(nameSaysSecret(name) || looksLikeKey(name, value) ? [value, ...lines(value)] : []),
  ...(/HEADERS$/i.test(name) ? inHeaders(value) : []),
  ...inUrl(value),
];

export const secretsIn = (env: Readonly<Record<string, string | undefined>>, configured: readonly string[]): readonly string[] => [
  ...new Set([...configured, ...Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : inVariable(name, value)))]),
].filter((value) => value.length >= shortest && !ordinary.has(value.toLowerCase()));

const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Replaces each secret in a JSON text, as it stands in JSON, in JSON within JSON and in a URL; the result is JSON still. */
export const redactor = (secrets: readonly string[]): ((json: string) => string) => {
  const forms = [...new Set(secrets.flatMap((secret) => [escaped(secret), escaped(escaped(secret)), encodeURIComponent(secret.toWellFormed())]))].sort((a, b) => b.length - a.length);
  return (json) => withoutShapes(forms.reduce((text, form) => (text.includes(form) ? text.replaceAll(form, (found: string, at: number, whole: string) => (isEscaped(whole, at) ? found : concealed)) : text), json));
};

/** A plain text, by a redaction that knows secrets as they stand in JSON. */
export const redactedText = (redact: (json: string) => string, text: string): string => {
  const json = JSON.stringify(text);
  const clean = redact(json);
  return clean === json ? text : String(JSON.parse(clean));
};
