/**
 * The texts of one language, rendered strictly.
 *
 * Owns: one i18next instance a language, its own, made at the first use. I1 A key that is not there, a variable that the text does not name and one that it
 * names and was not given are faults, at compile time and at run time. I2 What is put in stays as it is: it is neither escaped nor read for variables or nested keys.
 * I3 Languages do not stand in for each other.
 */
import { createHash } from "node:crypto";
import { createInstance, type i18n } from "i18next";
import type { Language } from "../domain/language.ts";
import { PromptFault } from "../ports/prompts.ts";
import { type English, english } from "./en/texts.ts";
import { korean } from "./ko/texts.ts";
import type { Texts } from "./translated.ts";

export type TextSet = keyof English;
export type Key<Set extends TextSet> = keyof English[Set] & string;

type Names<Text> = Text extends `${string}{{${infer Name}}}${infer Rest}` ? Name | Names<Rest> : never;
/** One value for each variable of the text; nothing for a text without. */
type Values<Text> = [Names<Text>] extends [never] ? [] : [values: Readonly<Record<Names<Text>, string | number>>];

export type Say = <Set extends TextSet, K extends Key<Set>>(set: Set, key: K, ...values: Values<English[Set][K]>) => string;

export interface Words {
  readonly language: Language;
  readonly say: Say;
  /** Of the templates of a set and of those that every prompt shares: `coder/en/0123456789ab`. */
  readonly version: (set: TextSet) => string;
}

export const texts: Readonly<Record<Language, Texts>> = { en: english, ko: korean };

const variable = /\{\{(.+?)\}\}/g;
export const variablesIn = (text: string): readonly string[] => [...new Set([...text.matchAll(variable)].map((match) => match[1] ?? ""))].toSorted();

const fault = (message: string): PromptFault => new PromptFault({ message });

const instances = new Map<Language, i18n>();
const instanceFor = (language: Language): i18n => {
  const known = instances.get(language);
  if (known !== undefined) return known;
  const made = createInstance();
  // With texts that are all there it is ready when this returns.
  void made.init({
    lng: language, fallbackLng: false, load: "currentOnly", resources: { [language]: texts[language] }, ns: Object.keys(texts[language]), initAsync: false,
    keySeparator: false, nsSeparator: false, pluralSeparator: "\0", contextSeparator: "\0", returnEmptyString: true,
    interpolation: { escapeValue: false, skipOnVariables: true },
  });
  instances.set(language, made);
  return made;
};

/** The checked way in for whoever knows set and key only at run time. */
export const sayAny = (language: Language, set: string, key: string, values: Readonly<Record<string, string | number>>): string => {
  const sets: Readonly<Record<string, Readonly<Record<string, string>>>> = texts[language];
  const template = Object.hasOwn(sets, set) && Object.hasOwn(sets[set] ?? {}, key) ? sets[set]?.[key] : undefined;
  if (template === undefined) throw fault(`there is no text ${set}.${key} in ${language}`);
  const named = variablesIn(template), given = Object.keys(values);
  const missing = named.filter((name) => values[name] === undefined || !Object.hasOwn(values, name)), unknown = given.filter((name) => !named.includes(name));
  if (missing.length > 0) throw fault(`the text ${set}.${key} in ${language} lacks a value for ${missing.join(", ")}`);
  if (unknown.length > 0) throw fault(`the text ${set}.${key} in ${language} names no variable ${unknown.join(", ")}`);
  return instanceFor(language).t(key, { ns: set, lng: language, replace: { ...values }, nest: false });
};

export const wordsIn = (language: Language): Words => ({
  language,
  say: (set, key, ...[values]) => sayAny(language, set, key, values ?? {}),
  version: (set) => `${set}/${language}/${hashOf(language, set)}`,
});

/** Digits of the hash that a version shows. */
const hashDigits = 12;
const hashOf = (language: Language, set: TextSet): string => {
  const parts = (["material", "answers", set] as const).map((each) => [each, Object.entries(texts[language][each]).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, hashDigits);
};
