import { oneLine } from "../client/text/safe-text.ts";
import { cut, pad, widthOf } from "../client/text/width.ts";
import { paint, type Screen } from "./screen.ts";

/**
 * Rows under a header, aligned by display width. Cells are untrusted text and made harmless here. The last column takes what is
 * left of the terminal's width; a file gets everything.
 */
export const table = (screen: Screen, header: readonly string[], rows: readonly (readonly string[])[]): string => {
  const safe = rows.map((row) => row.map(oneLine));
  const widths = header.map((title, column) => Math.max(widthOf(title), ...safe.map((row) => widthOf(row[column] ?? ""))));
  const total = screen.columns();
  const line = (cells: readonly string[]): string => {
    let used = 0;
    return header.map((_, column) => {
      const cell = cells[column] ?? "";
      if (column === header.length - 1) return cut(cell, Math.max(8, total - used));
      const width = Math.min(widths[column] ?? 0, Math.max(8, total));
      used += width + 2;
      return pad(cut(cell, width), width + 2);
    }).join("").trimEnd();
  };
  return [paint(screen, "bold", line(header)), ...safe.map(line)].map((text) => `${text}\n`).join("");
};
