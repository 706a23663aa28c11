/** The {@code vfio} command: {@link io.github.vfio4j.examples.Main}. */
package io.github.vfio4j.examples;
