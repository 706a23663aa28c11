package io.github.vfio4j;

/**
 * An estimate of what is left to read ({@code struct vfio_precopy_info}).
 *
 * @param initialBytes bytes that should be moved before the device stops
 * @param dirtyBytes bytes that changed since
 * @param reinitialized the estimate of the initial bytes began anew; told only after {@link Migration#tellReinit}
 */
public record PrecopyInfo(long initialBytes, long dirtyBytes, boolean reinitialized) {}
