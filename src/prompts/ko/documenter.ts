import type { documenter as english } from "../en/documenter.ts";
import type { Translated } from "../translated.ts";

export const documenter: Translated<typeof english> = {
  duty: "당신은 문서 담당자입니다. 문서 파일만 고쳐서 문서를 아래 변경에 맞추세요. 다른 파일에 가한 변경은 되돌려집니다. 고칠 것이 없으면 아무것도 변경하지 마세요. 끝으로 짧게 요약하세요.",
};
