export * from './dist/types/page/api';
