/** What the example drivers share: memory that a program and a device use at the same time. */
package io.github.vfio4j.examples.driver;
