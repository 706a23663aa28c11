/**
 * What stands between the typed API and a kernel: one interface for each kind of descriptor, one method for each kernel
 * operation. Only the backends see it. A method that the kernel refuses throws {@link io.github.vfio4j.VfioException}
 * with the operation and the errno; no method checks a rule, the API has done so. All are safe from any thread.
 */
package io.github.vfio4j.spi;
