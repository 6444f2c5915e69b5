/**
 * Free text (an error's message, a stack) as every database can hold it: no NUL, which PostgreSQL refuses, and no half of a surrogate pair.
 * JSON needs none of this: JSON text never contains either.
 */
export const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\u{FFFD}");
