import { spawnSync } from 'child_process';
import { readFileSync } from 'fs';

/** Between two looks at processes that are to end. */
const LOOK_AGAIN_MS = 20;

/**
 * Kills a process that leads a process group, with all that descends from it, at once. Does not
 * wait, so it may be used while this process exits.
 */
export function killTree(pid: number): void {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/PID', String(pid), '/T', '/F'], { windowsHide: true });
    return;
  }
  // Listed first: children of a dead process have another parent.
  const members = descendantsOf(pid, listProcesses());
  kill(-pid);
  for (const member of members) {
    kill(-member);
    kill(member);
  }
}

/** The process with all that descends from it; without a way to list processes, itself alone. */
export function treeOf(pid: number): number[] {
  return process.platform === 'win32' ? [pid] : [pid, ...descendantsOf(pid, listProcesses())];
}

/** Resolves with those that are still there, once none is, or after the limit. */
export async function leftOf(pids: number[], limitMs: number): Promise<number[]> {
  const deadline = process.uptime() * 1000 + limitMs;
  let left = pids.filter(isThere);
  while (left.length > 0 && process.uptime() * 1000 < deadline) {
    await new Promise((resolve) => void setTimeout(resolve, LOOK_AGAIN_MS));
    left = left.filter(isThere);
  }
  return left;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !isZombie(pid);
}

/** One that has ended, and that its new parent has not waited for; it holds no file. */
function isZombie(pid: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2, -1).startsWith('Z');
  } catch {
    return true;
  }
}

interface ProcessEntry {
  pid: number;
  parent: number;
}

function listProcesses(): ProcessEntry[] {
  const listed = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return listed.error ? [] : parseProcesses(listed.stdout);
}

export function parseProcesses(text: string): ProcessEntry[] {
  return text.split('\n').flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s*$/.exec(line);
    return found ? [{ pid: Number(found[1]), parent: Number(found[2]) }] : [];
  });
}

export function descendantsOf(root: number, processes: ProcessEntry[]): number[] {
  const found = new Set([root]);
  let before;
  do {
    before = found.size;
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid);
  } while (found.size > before);
  found.delete(root);
  return [...found];
}

function kill(target: number): void {
  try {
    process.kill(target, 'SIGKILL');
  } catch {
    // It is gone already, or is no group.
  }
}
