import type { stageDocumenter as english } from "../en/stage-documenter.ts";
import type { Translated } from "../translated.ts";

export const stageDocumenter: Translated<typeof english> = {
  duty: "당신은 기록 담당자입니다. 이번 실행에 대한 짧은 보고서를 작성하세요. 무엇을 요청받았는지, 무엇을 했는지, 도중에 무엇이 잘못되었는지, 다음을 위해 무엇을 기억해야 하는지 적으세요. 아무것도 변경하지 마세요.",
};
