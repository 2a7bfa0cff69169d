/** The checks of the Java client, against the broker given as argument. */
final class Main {
  private Main() {}

  public static void main(String[] args) {
    try (Client client = new Client(args[0], "java")) {
      new AdminChecks(client).run();
      new ConsumerChecks(client).run();
      new GroupChecks(client).run();
      new ProducerChecks(client).run();
    }
  }
}
