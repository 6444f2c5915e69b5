/** Signs with the key of a state directory and says whose it is. */
import { signingKey } from "../../src/receipts/key.ts";

const [directory = ""] = process.argv.slice(2);
process.stdout.write((await signingKey(directory)).keyid);
