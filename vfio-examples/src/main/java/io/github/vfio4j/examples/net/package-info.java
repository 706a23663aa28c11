/** What drivers of network cards share: packets, and what a port can do. */
package io.github.vfio4j.examples.net;
