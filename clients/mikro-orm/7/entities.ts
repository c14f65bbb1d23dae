// Of the ground, and of each record type.
export * from './ground.js';
export * from './company.js';
