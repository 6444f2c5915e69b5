import { type PanelRow, panelRows } from "./rows.ts";
import { type Detail, type HudModel, nothing, type Panel, type Subject } from "./state.ts";

/** The rows of a panel, the chosen one among them; -1 with none. */
export const chosenIn = (model: HudModel, panel: Panel): { readonly rows: readonly PanelRow[]; readonly index: number } => {
  const rows = panelRows(model, panel);
  const { key, index } = model.selected[panel];
  const found = rows.findIndex((row) => row.key === key);
  return { rows, index: rows.length === 0 ? -1 : found >= 0 ? found : Math.min(index, rows.length - 1) };
};

/** What keys are about now: the open detail view, else the chosen row. */
export const subjectOf = (model: HudModel): Subject => {
  if (model.detail !== null) return model.detail.subject;
  const { rows, index } = chosenIn(model, model.panel);
  return rows[index]?.subject ?? nothing;
};

/** The detail that is on the screen: the open one, or the preview of the chosen row on a wide screen. */
export const previewOf = (model: HudModel): Detail => model.detail ?? { subject: subjectOf(model), tab: "summary", scroll: 0, pan: 0 };
