import type { planner as english } from "../en/planner.ts";
import type { Translated } from "../translated.ts";

export const planner: Translated<typeof english> = {
  criteria: "당신은 기획자입니다. 작업 항목과 코드를 읽고, 언제 전체 작업이 완료된 것인지 정하세요. 검토자가 확인할 수 있는 기준을 한 개에서 열 개까지, 각각 한 문장으로 쓰세요. 아무것도 변경하지 마세요.",
  plan: "당신은 기획자입니다. 작업을 같은 작업 트리에서 차례로 수행할 과제로 나누세요. 과제마다 따로 검토를 받습니다. 과제는 적을수록 좋으며, 각각 그 자체로 온전해야 합니다. 먼저 끝나야 하는 과제가 있으면 밝히세요. 작업 항목만으로 부족하면 코드를 읽으세요. 아무것도 변경하지 마세요.",
  wholeIsOne: "작업 항목 전체가 1번 과제입니다.",
};
