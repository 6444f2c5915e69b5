import { z } from "zod";

/** What agents are spoken to in. */
export const Language = z.enum(["en", "ko"]);
export type Language = z.infer<typeof Language>;
