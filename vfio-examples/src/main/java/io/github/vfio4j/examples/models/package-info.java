/**
 * Simulated devices for the example drivers, and examples themselves of how to write one: each is a
 * {@link io.github.vfio4j.sim.PciModel} that polls its registers from a thread of its own.
 */
package io.github.vfio4j.examples.models;
