/** What GitHub answers, as far as it is used here. */
import { z } from "zod";

const User = z.looseObject({ id: z.int(), login: z.string() });
export const Issue = z.looseObject({
  number: z.int().positive(), title: z.string().min(1), body: z.string().nullable(), state: z.enum(["open", "closed"]), state_reason: z.string().nullish(), created_at: z.iso.datetime({ offset: true }),
  labels: z.array(z.union([z.string(), z.looseObject({ name: z.string().optional() })])), assignees: z.array(User).nullish(), comments: z.int().nonnegative(), pull_request: z.unknown().optional(),
});
export type Issue = z.infer<typeof Issue>;
export const Me = User;
export const Comment = z.looseObject({ id: z.int(), body: z.string().optional(), user: User.nullable() });
export const Event = z.looseObject({ id: z.int(), event: z.string(), label: z.looseObject({ name: z.string() }).optional() });
export type Event = z.infer<typeof Event>;
