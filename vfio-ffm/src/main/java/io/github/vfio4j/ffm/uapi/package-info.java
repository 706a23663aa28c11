/** The few names of the kernel's user API that the generated bindings in {@code io.github.vfio4j.ffm.gen} lack. */
package io.github.vfio4j.ffm.uapi;
