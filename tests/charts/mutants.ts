/** `npm run test:mutants [chart…]`: every mutant of every chart. Exit 1 when fewer than 95 % are caught (DESIGN §12.1). */
import { catalog } from "../../machines/index.ts";
import { mutantsOf, score, shareCaught } from "./mutate.ts";

const needed = 0.95;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const wanted = process.argv.slice(2);

const unknown = wanted.filter((name) => !catalog.some(({ id }) => id === name));
if (unknown.length > 0) {
  console.error(`test:mutants: no chart ${unknown.join(", ")}; there are ${catalog.map(({ id }) => id).join(", ")}`);
  process.exit(2);
}

const scores = catalog.filter(({ id }) => wanted.length === 0 || wanted.includes(id)).map((entry) => {
  const result = score(entry, mutantsOf(entry));
  console.log(`${entry.id}: ${result.caught} of ${result.tried - result.equivalent.length} caught (${percent(shareCaught([result]))}), ${result.equivalent.length} equivalent left out`);
  for (const { operator, where } of result.survivors) console.log(`  survived    ${operator}: ${where}`);
  for (const { operator, where } of result.equivalent) console.log(`  equivalent  ${operator}: ${where}`);
  return result;
});
const share = shareCaught(scores);
console.log(`all charts: ${percent(share)} caught, ${percent(needed)} needed`);
process.exitCode = share >= needed ? 0 : 1;
