export * from './dist/types/preload/api';
