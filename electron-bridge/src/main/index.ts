// For Electron's main process.
export { createShell, Shell, type OpenWindow, type ShellEvents, type ShellOptions } from './shell';
export type { BackendDown, BackendState } from './backend';
export { DeskbusError } from '../node/error';
export type { BackendMethod, CallOptions, Params, Result } from '../node/link';
export type {
  AppStatus,
  DialogAnswer,
  HelloResult,
  Methods,
  Notice,
  PermissionDialog,
  VaultStatus,
  WindowDescriptor,
} from '../generated/protocol';
