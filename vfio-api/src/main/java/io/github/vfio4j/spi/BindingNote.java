package io.github.vfio4j.spi;

import io.github.vfio4j.PciAddress;
import java.util.Optional;

/**
 * How a function was before a program changed its driver.
 *
 * @param device the function
 * @param driver the driver it had
 * @param override the {@code driver_override} it had
 * @param abandoned did the program end without restoring that?
 */
public record BindingNote(PciAddress device, Optional<String> driver, Optional<String> override, boolean abandoned) {}
