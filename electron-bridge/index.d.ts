export * from './dist/types/main/index';
