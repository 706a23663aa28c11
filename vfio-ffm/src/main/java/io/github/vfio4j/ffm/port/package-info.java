/**
 * The two doors to a kernel: system calls and the sysfs tree. Linux stands behind them through the Foreign Function
 * interface; a simulated kernel stands behind the same two.
 */
package io.github.vfio4j.ffm.port;
