import { spawnSync } from 'child_process';

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
