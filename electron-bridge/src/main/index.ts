// For Electron's main process.
import './only-in-main';

export {
  createShell,
  Shell,
  type ShellEvents,
  type ShellOptions,
  type UpdateReadiness,
} from './shell';
export type { OpenWindow } from './windows/apps/app-windows';
export type { BackendDown, BackendState } from './backend/backend';
export { DeskbusError } from '../common/error';
export type { BackendMethod, CallArguments, CallOptions, Params, Result } from '../node/link/link';
export type {
  AppStatus,
  CrashPage,
  DialogAnswer,
  FileHolder,
  HelloResult,
  Methods,
  Notice,
  PanelContent,
  PanelDescriptor,
  PanelQuery,
  PermissionDialog,
  VaultStatus,
  WindowDescriptor,
} from '../generated/protocol';
