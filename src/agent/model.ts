/** What is known of models by name. The first that fits counts; a gateway's own names fit none. */
interface Known { readonly name: RegExp; /** Tokens of input and output together that it works with. */ readonly window: number; readonly reasons: boolean }

const known: readonly Known[] = [
  { name: /^gpt-4\.1/, window: 1_000_000, reasons: false },
  { name: /^gpt-4o/, window: 128_000, reasons: false },
  { name: /^gpt-[5-9]/, window: 272_000, reasons: true },
  { name: /^o\d/, window: 200_000, reasons: true },
];

/** Small enough for whatever a gateway may choose. */
const otherwise = { window: 128_000, reasons: true };

/** Of the window, what a conversation may fill before it is summed up: an answer and the outputs of its calls must still fit. */
const share = 0.7;

/** `reasons`: its thoughts can be passed back. A model that only might is asked for them, and not again once it has refused. */
export const modelFacts = (model: string, window: number | undefined): { readonly budget: number; readonly reasons: boolean } => {
  const facts = known.find(({ name }) => name.test(model.replace(/^.*\//, ""))) ?? otherwise;
  return { budget: Math.floor((window ?? facts.window) * share), reasons: facts.reasons };
};

/** Characters of a token, about, where nobody has counted. */
const charactersPerToken = 4;

export const tokensIn = (text: string): number => Math.ceil(text.length / charactersPerToken);
