/** The code of a piscina thread that cannot even be loaded. */
throw new Error('this thread cannot be loaded');
