package io.github.vfio4j.examples.net;

/**
 * What a port counted.
 *
 * @param received packets that {@link NetPort#receive} gave
 * @param receivedBytes their bytes
 * @param sent packets that {@link NetPort#send} accepted
 * @param sentBytes their bytes
 * @param withoutBuffer packets that were dropped because the pool was empty
 * @param bad packets that were dropped because the device found them broken
 * @param missed packets that the device says it dropped because its ring was full; 0 where it does not say
 */
public record PortStatistics(
        long received, long receivedBytes, long sent, long sentBytes, long withoutBuffer, long bad, long missed) {}
