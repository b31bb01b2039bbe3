/** calm: all is well. note: worth knowing. warn: somebody should look. bad: somebody must act. */
export type Level = 'calm' | 'note' | 'warn' | 'bad';
