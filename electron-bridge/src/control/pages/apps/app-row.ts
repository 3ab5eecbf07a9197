import type { AppStats, AppStatus } from '../../../generated/protocol';
import { duration, NOTHING, number } from '../../format';
import { textOr } from '../../../renderer/language';

export const MB = 1024 * 1024;

/** An app as the pages show it: how it is, its figures, and their course. */
export interface AppRow {
  status: AppStatus;
  stats: AppStats | undefined;
  cpu: number[];
  memory: number[];
}

/** Of the last period; what is measured at the moment of a call covers no time. */
export function cpuOf({ cpu }: AppRow): number {
  return cpu[cpu.length - 1] ?? 0;
}

export function stateOf(status: AppStatus): string {
  const words = textOr(`page.control.app-state.${status.state}`, status.state);
  return status.restartIn === undefined ? words : `${words} (${duration(status.restartIn)})`;
}

export function countOf(value: number | undefined): string {
  return value === undefined ? NOTHING : number(value);
}

export function megabytes(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * MB;
}
