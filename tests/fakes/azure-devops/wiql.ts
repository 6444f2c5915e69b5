/** The part of WIQL that the fake understands. Anything else is refused, as the service refuses what it cannot parse. */
export class BadQuery extends Error {}

export interface Row { readonly id: number; readonly fields: Readonly<Record<string, unknown>> }
export interface Surroundings { readonly project: string; readonly me: string; readonly iteration: string; readonly fieldNames: ReadonlySet<string> }

const token = /\s*(?:(\[[A-Za-z.]+\])|('(?:[^']|'')*')|(@[A-Za-z]+)|(\d+)|(<>|[=<>(),])|([A-Za-z]+))/y;

export const runQuery = (query: string, rows: readonly Row[], around: Surroundings): readonly number[] => {
  const words: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < query.trimEnd().length) {
    const from = token.lastIndex, match = token.exec(query);
    if (match === null) throw new BadQuery(`TF51005: The query references a field or has a syntax error near <<${query.slice(from, from + 20)}>>.`);
    words.push(match[0].trim());
  }
  let at = 0;
  const peek = (): string => words[at] ?? "";
  const take = (expected?: string): string => {
    const word = words[at++] ?? "";
    if (expected !== undefined && word.toUpperCase() !== expected) throw new BadQuery(`TF51006: The query statement is missing <<${expected}>> near <<${word}>>.`);
    return word;
  };
  const field = (): string => {
    const word = take(), name = word.slice(1, -1);
    if (!word.startsWith("[") || !around.fieldNames.has(name)) throw new BadQuery(`TF51005: The query references a field that does not exist. The error is caused by <<${word}>>.`);
    return name;
  };
  const value = (): unknown => {
    const word = take();
    if (word.startsWith("'")) return word.slice(1, -1).replaceAll("''", "'");
    if (/^\d+$/.test(word)) return Number(word);
    switch (word.toLowerCase()) {
      case "@project": return around.project;
      case "@me": return around.me;
      case "@currentiteration": return around.iteration;
      default: throw new BadQuery(`TF51006: <<${word}>> is no value.`);
    }
  };
  const of = (row: Row, name: string): unknown => {
    if (name === "System.Id") return row.id;
    const found = row.fields[name];
    return typeof found === "object" && found !== null && "uniqueName" in found ? found.uniqueName : found;
  };
  const equal = (a: unknown, b: unknown): boolean => (typeof a === "string" && typeof b === "string" ? a.toLowerCase() === b.toLowerCase() : a === b);
  type Test = (row: Row) => boolean;
  const one = (): Test => {
    if (peek() === "(") {
      take();
      const inner = any();
      take(")");
      return inner;
    }
    const name = field(), operator = take().toUpperCase();
    if (operator === "IN") {
      take("(");
      const values = [value()];
      while (peek() === ",") {
        take();
        values.push(value());
      }
      take(")");
      return (row) => values.some((each) => equal(of(row, name), each));
    }
    const wanted = value();
    switch (operator) {
      case "=": return (row) => equal(of(row, name), wanted);
      case "<>": return (row) => !equal(of(row, name), wanted);
      case ">": return (row) => Number(of(row, name)) > Number(wanted);
      case "<": return (row) => Number(of(row, name)) < Number(wanted);
      case "UNDER": {
        if (name !== "System.AreaPath" && name !== "System.IterationPath") throw new BadQuery(`TF51007: UNDER cannot be used with ${name}.`);
        return (row) => equal(of(row, name), wanted) || String(of(row, name)).toLowerCase().startsWith(`${String(wanted).toLowerCase()}\\`);
      }
      default: throw new BadQuery(`TF51006: <<${operator}>> is no operator.`);
    }
  };
  const all = (): Test => {
    const tests = [one()];
    while (peek().toUpperCase() === "AND") {
      take();
      tests.push(one());
    }
    return (row) => tests.every((test) => test(row));
  };
  function any(): Test {
    const tests = [all()];
    while (peek().toUpperCase() === "OR") {
      take();
      tests.push(all());
    }
    return (row) => tests.some((test) => test(row));
  }
  take("SELECT");
  field();
  take("FROM");
  take("WORKITEMS");
  take("WHERE");
  const holds = any();
  take("ORDER");
  take("BY");
  if (field() !== "System.Id" || at < words.length) throw new BadQuery("TF51005: The query cannot be read to its end.");
  return rows.filter(holds).map(({ id }) => id).toSorted((a, b) => a - b);
};
