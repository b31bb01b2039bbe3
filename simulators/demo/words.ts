/** What the demo says, in English and Korean. */

export const words = {
  open: (url: string, folder: string): string[] => [
    `Open ${url} in a browser. Ctrl-C ends everything; npm start goes on where it was.`,
    `브라우저에서 ${url} 을(를) 여세요. Ctrl-C로 모두 종료하고, npm start로 이어서 시작합니다.`,
    `Data, configuration and logs: ${folder}  (데이터·설정·로그 폴더)`,
  ],
  firstLogin: (user: string, password: string): string[] => [
    `To change something log in as ${user}, password ${password} (said this once; you choose your own then).`,
    `변경하려면 ${user} 계정으로 로그인하세요. 비밀번호는 ${password} 이며 지금 한 번만 표시됩니다. 로그인 후 새 비밀번호를 정합니다.`,
  ],
  live: (count: number, seconds: string): string[] => [
    `${count} devices are live, ${seconds} s after the start.  (장치 ${count}대 수신 중)`,
  ],
  replaying: (name: string, rows: string, devices: number): string[] => [
    `Replaying ${name}: ${rows} rows, ${devices === 1 ? 'one device' : `${devices} devices`}, with their own times.`,
    `기록 재생 중: ${name}, ${rows}행, 원래 시각 그대로.`,
  ],
  replayed: (name: string, rows: string, readings: string, stored: string): string[] => [
    `Replay of ${name} is through: ${rows} rows sent (${readings} readings), ${stored} readings stored.`,
    `재생 완료: ${rows}행 전송(${readings}개 값), ${stored}개 저장.`,
  ],
  ending: ['Ending: agent, then collector, then devices …  (종료 중)'],
  ended: ['Ended. Everything is kept in the data folder.  (종료됨)'],
} as const;

/** 20560 → 20,560 */
export function grouped(count: number): string {
  return count.toLocaleString('en-US');
}
