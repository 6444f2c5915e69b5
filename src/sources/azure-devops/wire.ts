/** What Azure DevOps answers, as far as it is used here. */
import { z } from "zod";

export const Wiql = z.looseObject({ queryType: z.literal("flat"), workItems: z.array(z.looseObject({ id: z.int().positive() })) });
/** With `errorPolicy: omit` a record that there is none of is null, or not there. */
export const Batch = z.looseObject({ value: z.array(z.unknown()) });
const Identity = z.looseObject({ id: z.string().optional(), displayName: z.string().optional(), uniqueName: z.string().optional() });

export const Fields = z.looseObject({
  "System.Title": z.string().min(1),
  "System.State": z.string().min(1),
  "System.WorkItemType": z.string().min(1),
  "System.AreaPath": z.string().optional(),
  "System.IterationPath": z.string().optional(),
  "System.CreatedDate": z.iso.datetime({ offset: true }),
  "System.Tags": z.string().optional(),
  "System.AssignedTo": Identity.optional(),
  "System.Description": z.string().optional(),
  "Microsoft.VSTS.TCM.ReproSteps": z.string().optional(),
  "Microsoft.VSTS.Common.AcceptanceCriteria": z.string().optional(),
  "Microsoft.VSTS.Common.Priority": z.number().optional(),
  "System.CommentCount": z.number().optional(),
});
export type Fields = z.infer<typeof Fields>;
export const Relation = z.looseObject({ rel: z.string(), url: z.string() });
export const Item = z.looseObject({ id: z.int().positive(), rev: z.int().positive(), fields: Fields, relations: z.array(Relation).nullish() });
export type Item = z.infer<typeof Item>;

export const States = z.looseObject({ value: z.array(z.looseObject({ name: z.string(), category: z.string() })) });
export type States = z.infer<typeof States>["value"];
export const Connection = z.looseObject({ authenticatedUser: z.looseObject({ id: z.string().min(1) }) });
export const TeamAreas = z.looseObject({ values: z.array(z.looseObject({ value: z.string(), includeChildren: z.boolean() })) });

export const Comment = z.looseObject({ id: z.int().positive(), text: z.string(), createdBy: Identity, isDeleted: z.boolean().optional() });
export const Comments = z.looseObject({ comments: z.array(Comment), continuationToken: z.string().nullish() });
export const Updates = z.looseObject({ value: z.array(z.looseObject({ id: z.int(), rev: z.int(), fields: z.record(z.string(), z.looseObject({ oldValue: z.unknown().optional(), newValue: z.unknown().optional() })).optional() })) });
