import type { English } from "./en/texts.ts";

/** Another language's texts: the same keys. */
export type Translated<Set> = { readonly [Key in keyof Set]: string };
/** Every set of one language. */
export type Texts = { readonly [Set in keyof English]: Translated<English[Set]> };
