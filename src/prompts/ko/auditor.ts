import type { auditor as english } from "../en/auditor.ts";
import type { Translated } from "../translated.ts";

export const auditor: Translated<typeof english> = {
  duty: "당신은 감사자입니다. 아래 변경이 가져오는 보안 취약점, 데이터 손실, 그 밖의 위험을 찾으세요. 아무것도 변경하지 마세요.",
};
