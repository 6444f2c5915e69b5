/** What is taken for a secret: by the name of a variable or key, and by the shape of a text. */

/** `AWS_SECRET_ACCESS_KEY`, `webhookUrl` and `//host/:_authToken` in words. */
const wordsOf = (name: string): readonly string[] => name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase().split(/[^A-Z0-9]+/).filter((word) => word !== "");

const anywhere = /(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY|CREDENTIALS?)$|^(?:PAT|WEBHOOK|COOKIE|AUTHORIZATION)$/;
/** `SORT_KEY` is none: a key is one of these, or looks like nothing a person would write. */
const keys: ReadonlySet<string> = new Set(["API", "ACCESS", "PRIVATE", "ENCRYPTION", "SIGNING", "MASTER", "ACCOUNT", "SUBSCRIPTION"]);

export const nameSaysSecret = (name: string): boolean => {
  const words = wordsOf(name), last = words.at(-1);
  return words.some((word, at) => anywhere.test(word) || (word === "KEY" && keys.has(words[at - 1] ?? ""))) || last === "AUTH" || last === "DSN";
};

/** A variable that is called some key, with a value that nobody would have thought of. */
export const looksLikeKey = (name: string, value: string): boolean => wordsOf(name).at(-1) === "KEY" && /^[A-Za-z0-9+/=_.:-]{16,}$/.test(value) && /\d/.test(value) && /[A-Za-z]/.test(value);

/** What stands in place of one. */
export const concealed = "[secret]";

/** Tokens that no other text looks like. */
const tokens = /gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|sk-(?=[A-Za-z_-]{0,40}\d)[\w-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{30,}|eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]{8,}/g;
/** The character here belongs to an escape (`\n`) of a JSON text. */
export const isEscaped = (text: string, at: number): boolean => {
  let first = at;
  while (first > 0 && text.charAt(first - 1) === "\\") first--;
  return (at - first) % 2 === 1;
};
/** A letter before it makes it the middle of a word. */
const begins = (text: string, at: number): boolean => !isEscaped(text, at) && (at === 0 || !/\w/.test(text.charAt(at - 1)) || isEscaped(text, at - 1));

/** Nobody's password: the conventional one of a local database, or a word that stands for one. */
const standsForOne = (user: string, password: string): boolean => user === password || /^(?:p|pw|pass|passwd|password|secret|\*+|<.*>|\$.*)$/i.test(password);
const userInfo = /(:\/\/([^\s:@/"'\\]{0,100}):)([^\s@/"'\\]{1,200})(?=@)/g;

/** Of a URL: what its query calls a secret. Of a header: what is borne. The rest of it stays. */
const parts: readonly { readonly hint: string; readonly pattern: RegExp; readonly keeps: string }[] = [
  { hint: "/webhooks/", pattern: /(\/api\/webhooks\/\d+\/)[\w-]{20,}/g, keeps: "$1" },
  { hint: "=", pattern: /([?&](?:[\w-]*(?:token|secret|signature|password|api_?key)|sig|key)=)[^\s&"'\\#]{8,}/gi, keeps: "$1" },
  { hint: "earer ", pattern: /(\b[Bb]earer )[\w.~+/=-]{16,}/g, keeps: "$1" },
  { hint: "PRIVATE KEY-----", pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^"\\]|\\.)*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?=")|$)/g, keeps: "" },
];

/** The text without what looks like a secret, by shapes alone: a help, not a proof. JSON stays JSON. */
export const withoutShapes = (text: string): string => {
  const clean = text.replace(tokens, (found: string, at: number) => (begins(text, at) ? concealed : found));
  const nameless = clean.includes("://") ? clean.replace(userInfo, (found: string, before: string, user: string, password: string) => (standsForOne(user, password) ? found : before + concealed)) : clean;
  return parts.reduce((kept, { hint, pattern, keeps }) => (kept.includes(hint) ? kept.replace(pattern, `${keeps}${concealed}`) : kept), nameless);
};
